import { Skeleton } from '../components/panel.tsx';

export function ModelsPage() {
  return <Skeleton />;
}
